space x
ÿþ