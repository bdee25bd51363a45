"""What layers should be made of, and why a product is stale: functions of values, without database and files."""
