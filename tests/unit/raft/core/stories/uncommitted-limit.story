# Beyond the limit proposals are refused and nothing is appended; commit makes room.
option uncommitted-bytes 4
nodes 1 2 3
campaign 1
run
propose 1 aaa
propose 1 bb
refused Busy
expect 1 last 2
run
propose 1 bb
run
applied 3 aaa bb
