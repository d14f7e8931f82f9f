"""The DSL: what pipeline authors write. (The public names are listed here.)"""
