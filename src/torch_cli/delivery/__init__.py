"""Messages that arrive exactly once and byte for byte, with a receipt.

``procedure`` is the whole of it: gate, paste, see, submit, prove. ``text`` decides what may be
sent at all, ``evidence`` what a screen or a hook proves, ``receipt`` what is said in the end.
"""
