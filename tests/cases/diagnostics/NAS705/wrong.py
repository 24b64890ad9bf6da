from nasdsl.objectives.prepare import check_device

check_device("tpu")
