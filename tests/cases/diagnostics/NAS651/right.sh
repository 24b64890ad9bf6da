nasdsl score space.nas 0 --metric params --metric macs
