# A node that comes back from isolation does not raise the term of the others.
nodes 1 2 3
campaign 1
run
cut 3
tick 3 50
settle 3
expect 3 role pre-candidate term 1
heal
pass 3
expect 1 role leader term 1
expect 3 role follower term 1 leader 1
