# The book, built, and JupyterLab to work in its notebooks:
#   docker build -t superres-tomo .
#   docker run --rm -p 8888:8888 superres-tomo
# JupyterLab prints an address with a token; the built book is in _build/html.
FROM python:3.13-slim AS build
RUN useradd --create-home --uid 1000 reader \
    && install --directory --owner=reader /home/reader/superres-tomo
USER reader
WORKDIR /home/reader/superres-tomo
ENV PATH=/home/reader/.venv/bin:$PATH PIP_NO_CACHE_DIR=1
RUN python -m venv /home/reader/.venv
# What rarely changes comes first. No GPU in here: a TensorFlow without its code.
COPY --chown=reader requirements.txt pyproject.toml ./
RUN grep -v -e "^-e" requirements.txt > /tmp/needs.txt \
    && sed -i "s/^tensorflow==/tensorflow-cpu==/" /tmp/needs.txt \
    && pip install -r /tmp/needs.txt jupyterlab
COPY --chown=reader . .
RUN pip install --no-deps -e . && jupyter-book build .

FROM python:3.13-slim
RUN useradd --create-home --uid 1000 reader
COPY --from=build --chown=reader /home/reader /home/reader
USER reader
WORKDIR /home/reader/superres-tomo
ENV PATH=/home/reader/.venv/bin:$PATH
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
