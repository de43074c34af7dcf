"""What hegui remembers to judge duties that count, run or fall due: one file for each ledger (台账).

A ledger has an `Entry` (what the evaluator tells of an event), a `State` (what the state agents keep; `step` says how an entry
changes it) and, where a rule judges it, a struct that the rule sees. All pure. The ledger of exports, whose persons are sets,
lies in `rules/exports.py`.
"""
