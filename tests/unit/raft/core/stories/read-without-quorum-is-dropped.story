# A leader that cannot confirm itself answers nothing; when it steps down the read is dropped.
nodes 1 2 3
campaign 1
run
cut 1
read 1 r
settle 1
answer 1 r none
tick 1 20
settle 1
answer 1 r dropped
