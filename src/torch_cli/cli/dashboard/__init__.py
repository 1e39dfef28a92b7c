"""The screen of ``torch top``, drawn with Textual, an extra. Only that command imports it."""
