"""Agents by name: finding them, starting them, ending them, and their briefings."""
