"""What stands between strangers' connections and our handlers, on every HTTP server of ours."""
