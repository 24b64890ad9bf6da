nasdsl init space.nas
