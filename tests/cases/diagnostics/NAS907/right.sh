nasdsl init other.nas -q
