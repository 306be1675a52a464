# Meanwhile proposals are refused, never lost; after an election timeout it is given up.
nodes 1 2 3
campaign 1
run
cut 3
propose 1 a
run
transfer 1 3
propose 1 b
refused NotLeader
pass 12
expect 1 role leader
propose 1 c
run
applied 1 a c
