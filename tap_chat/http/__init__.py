"""Requests and responses: sent, paced, retried and decoded. No stream and no SDK is known here."""
