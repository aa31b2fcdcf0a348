"""Sluice: CRM webhooks in, YAML rules decide, Sakari API calls out."""
