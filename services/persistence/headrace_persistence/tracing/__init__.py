"""Traces as a projection of events, nothing of it stored: records.py, spans.py and waits.py make the spans, phases.py says where
an attempt's time went, critical.py and causes.py what a run waited for, folding.py what of a very wide run is shown, parts.py
what wide loops sum up to, messages.py how it is told, splitting.py in which trace it goes out; all of these are pure.
exporting.py sends spans out.
"""
