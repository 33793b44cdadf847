# false, if another service's bootstrap keeps the account's settings already
owns_account = true
