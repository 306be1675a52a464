# A follower behind the compacted log gets the state, then the rest of the log.
nodes 1 2 3
campaign 1
run
cut 3
propose 1 a b c
run
compact 1 3
propose 1 d
run
heal
pass 3
applied 3 a b c d
expect 3 first 5 commit 5
progress 1 3 replicate match 5 next 6
