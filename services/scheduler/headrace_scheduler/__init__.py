"""Headrace scheduler: decides what runs next and starts it; holds no durable state."""
