"""Code that Meta's platforms share: signatures, Graph calls, the window for answers, receipts."""
