"""What is made of several calls: pages, waiting, bulk stops and who runs them."""
