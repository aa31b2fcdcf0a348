"""The web pages for operators: rendered here, served by ourselves, usable without JavaScript. `router` puts them together."""
