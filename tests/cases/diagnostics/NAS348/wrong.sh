nasdsl path space.nas network.json 4
