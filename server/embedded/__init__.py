"""The embedded servers: `start_services(home)` gives running ones, whoever started them."""

from server.embedded.services import Services, ServicesError, start_services

__all__ = ["Services", "ServicesError", "start_services"]
