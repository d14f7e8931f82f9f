"""Traces as a projection of events, nothing of it stored: records.py and spans.py make the spans, phases.py says where an
attempt's time went, critical.py and causes.py what a run waited for, folding.py what of a very wide run is shown,
messages.py how it is told; all of these are pure. exporting.py sends spans out.
"""
