"""Messages that arrive exactly once and byte for byte, with a receipt.

``queueing`` says whose turn it is; ``procedure`` takes one message through six steps: gate, read,
paste, see, submit, prove. ``job`` holds what is known of it on the way, ``typist`` types and
presses, ``proof`` says that it went out. ``text`` decides what may be sent at all, ``evidence``
what a screen proves, ``receipt`` what is said in the end.
"""
