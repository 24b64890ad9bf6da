"""Modules of the operations that torch does not have as one.

Each file needs torch alone and no other part of nasdsl, because generated model files carry
the text of the classes they use.
"""
