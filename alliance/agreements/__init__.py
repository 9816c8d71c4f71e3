"""What two merchants agreed on: prices, rates and limits, versioned and dated."""
