"""This machine: profiles, set-up of agent programs, the doctor, completion."""
