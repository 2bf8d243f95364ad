"""Paginators, each named by how an API asks for the next page."""
