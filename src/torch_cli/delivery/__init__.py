"""Messages that arrive exactly once and byte for byte, with a receipt.

``procedure`` is the whole delivery: gate, paste, see, submit, prove. ``text`` decides which texts
may be sent, ``evidence`` what a screen or a hook proves, ``receipt`` what the sender is told.
"""
