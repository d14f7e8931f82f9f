"""Artifacts: content, metadata, types, folders, lists."""
from typing import List

from kfp import dsl
from kfp.dsl import Dataset
from parts import evaluate, folder, listing, merge, read, read_all, read_if_any, read_metadata, several, train, write


@dsl.pipeline(name='artifacts-written-and-read')
def written_and_read(text: str = 'content ✓') -> str:
    return read(data=write(text=text).outputs['data']).output


@dsl.pipeline(name='artifacts-metadata')
def metadata(text: str = 'four') -> int:
    return read_metadata(data=write(text=text).outputs['data']).output


@dsl.pipeline(name='artifacts-two-inputs')
def two_inputs() -> Dataset:
    left, right = write(text='left'), write(text='right')
    return merge(left=left.outputs['data'], right=right.outputs['data']).outputs['data']


@dsl.pipeline(name='artifacts-models-and-metrics')
def models_and_metrics() -> float:
    trained = train(data=write(text='abc').outputs['data'])
    return evaluate(model=trained.outputs['model']).outputs['Output']


@dsl.pipeline(name='artifacts-folders')
def folders() -> List[str]:
    return listing(tree=folder(names=['a.txt', 'deep/er/b.txt']).outputs['tree']).output


@dsl.pipeline(name='artifacts-lists')
def lists(texts: List[str] = ['a', 'b']) -> str:
    return read_all(data=several(texts=texts).output).output


@dsl.pipeline(name='artifacts-optional')
def optional() -> str:
    return read_if_any().output


@dsl.pipeline(name='artifacts-returned')
def returned(text: str = 'result') -> Dataset:
    return write(text=text).outputs['data']


PIPELINES = [written_and_read, metadata, two_inputs, models_and_metrics, folders, lists, optional, returned]
