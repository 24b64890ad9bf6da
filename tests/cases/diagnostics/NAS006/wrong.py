import nasdsl

text = "input image[1, 8, 8]\noutput logits[10]\n"
text += "network = global_avgpool >> linear(10)\n"
nasdsl.load(text + "# remark\n" * 200_000)
