"""The static checks, one module for each subject; `headrace_ir.validating` runs them all."""
