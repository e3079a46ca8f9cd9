"""What the platforms of Meta share: signatures, Graph calls, the window for answers, receipts."""
