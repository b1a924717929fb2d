"""What an experiment could find, reckoned before it is captured; torch-free, pure functions.

`growth` counts new defects, `strength` says how they stand out of a frame, `coverage` which patches
hold them, `population` adds them up, `session_test` what sessions can prove; `spec` is the
question, `reckoning` puts the parts together, `remedies` asks what would change it, `plan` is the
answer, `text` and `pictures` show it.
"""
