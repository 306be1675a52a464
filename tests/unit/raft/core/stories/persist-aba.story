# Entries of term 1 are replaced and come back while their first write is still under way: its
# late completion proves nothing, because the replacement is written after it.
option check-quorum 0
option pre-vote 0
nodes 1 2 3
campaign 1
run
cut 3
cut 1 3
hold-persist 2
propose 1 a
settle 1
deliver 1 2           # write number one: a of term 1
heal
cut 1
cut 2 1
campaign 3            # without a, but 2's log counts only what is written: 3 needs term 2
settle 3
lose 3 2 vote
expect 3 role candidate
heal
run
expect 2 last 2
