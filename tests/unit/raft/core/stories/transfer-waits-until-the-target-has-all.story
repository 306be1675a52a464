nodes 1 2 3
campaign 1
run
cut 3
propose 1 a
run
heal
transfer 1 3
settle 1
waiting 1 3 -
pass 2
expect 3 role leader
applied 3 a
