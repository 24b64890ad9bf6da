import nasdsl

text = "input image[1, 8, 8]\noutput logits[10]\n"
network = "(" * 20 + "relu" + ")" * 20
nasdsl.load(f"{text}network = {network} >> global_avgpool >> linear(10)")
