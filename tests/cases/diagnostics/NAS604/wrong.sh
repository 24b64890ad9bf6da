nasdsl trials .
