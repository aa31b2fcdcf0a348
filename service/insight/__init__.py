"""What people look at: found, explained and masked here once, for the command line, the admin API and the console.

`search` finds events, `verdicts` says what rules make of one, `installation` how everything is doing, `rule_states` what
each rule did lately, `trial` what a rule that is being written would do. `masking` hides personal data. `told` gives what
`--json` and the admin API tell its shape.
"""
