"""Messages that arrive exactly once and byte for byte, with a receipt.

``queueing`` decides which message is next. ``procedure`` takes one message through six steps: gate,
read, paste, see, submit, prove. ``job`` holds what is known of the message on the way, ``typist``
types and presses, ``proof`` finds out whether it was submitted. ``text`` decides which texts may be
sent, ``evidence`` what a screen proves, ``receipt`` what the sender is told.
"""
