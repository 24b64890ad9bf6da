space tabs "\ttext stays"
	input image[1,	8, 8]	# tab
output logits[10] 



block A =	conv(8,3)	>>	bn