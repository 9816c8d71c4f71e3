"""Showing who one is: rotating codes that a till can check by itself."""
