import nasdsl

text = "input image[1, 8, 8]\noutput logits[10]\n"
network = "(" * 200 + "relu" + ")" * 200
nasdsl.load(f"{text}network = {network} >> global_avgpool >> linear(10)")
