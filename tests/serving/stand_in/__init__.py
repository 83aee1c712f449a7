"""A server that speaks TensorFlow Serving's two languages, for tests.

    python -m tests.serving.stand_in --port=8500 --rest_api_port=8501 \
        --model_name=digits --model_base_path=/absolute/models/digits

It stands in for `tensorflow_model_server` where that can't be installed, takes
the same flags, and shares its core: TensorFlow's session on the SavedModel.
What it does beside (batches, versions, warm-up, both protocols) follows the
documentation of TensorFlow Serving. It is no server for production.
"""
