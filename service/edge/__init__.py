"""What stands between the network and the routes: whose a request is, what it may hold, what answers say."""
