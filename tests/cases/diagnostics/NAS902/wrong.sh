nasdsl info .
