"""What Python components bring along: packages, index URLs, further functions, embedded files, notebooks; and images of their own."""
import os

from kfp import dsl
from kfp.dsl import Dataset
from steps import IMAGE

HERE = os.path.dirname(os.path.abspath(__file__))
NOTEBOOK = os.path.join(HERE, 'files', 'book.ipynb')


def helper(text: str) -> str:
    """Used by a component."""
    return text.upper()


def second_helper(text):
    return text + '!'


@dsl.component(base_image=IMAGE, additional_funcs=[helper, second_helper])
def with_helpers(text: str = 'a') -> str:
    return second_helper(helper(text))


@dsl.component(base_image=IMAGE, packages_to_install=['requests==2.31.0', 'six>=1,<2'])
def with_packages():
    import six
    print(six)


@dsl.component(base_image=IMAGE, packages_to_install=['six'], pip_index_urls=['https://a.example/simple', 'https://b.example/simple'])
def with_indexes():
    print('x')


@dsl.component(base_image=IMAGE, pip_index_urls=['https://a.example/simple'], pip_trusted_hosts=['a.example'])
def with_hosts():
    print('x')


@dsl.component(base_image=IMAGE, packages_to_install=['six'], pip_index_urls=['https://a.example/simple'], pip_trusted_hosts=[])
def without_hosts():
    print('x')


@dsl.component(base_image=IMAGE, use_venv=True, packages_to_install=['six'])
def in_a_venv():
    print('x')


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def bare():
    print('x')


@dsl.component(base_image=IMAGE, target_image='registry.example/built:1')
def built(text: str) -> str:
    return text


@dsl.component(base_image=IMAGE, embedded_artifact_path=os.path.join(HERE, 'files', 'folder'))
def with_folder(files: dsl.EmbeddedInput[Dataset], text: str = 'x') -> str:
    with open(files.path + '/inside.txt') as file:
        return file.read() + text


@dsl.component(base_image=IMAGE, embedded_artifact_path=os.path.join(HERE, 'files', 'hello.txt'))
def with_file(file: dsl.EmbeddedInput[Dataset]) -> str:
    with open(file.path) as opened:
        return opened.read()


@dsl.notebook_component(notebook_path=NOTEBOOK, base_image=IMAGE)
def book(text: str):
    dsl.run_notebook(text=text)


@dsl.notebook_component(notebook_path=NOTEBOOK, base_image=IMAGE, packages_to_install=[])
def book_without_packages(number: int = 1) -> int:
    dsl.run_notebook(number=number)
    return number


@dsl.pipeline(name='functions')
def functions(text: str = 'a') -> str:
    bare()
    return with_helpers(text=text).output


@dsl.pipeline(name='packages')
def packages():
    with_packages()
    with_indexes()
    with_hosts()
    without_hosts()
    in_a_venv()


@dsl.pipeline(name='images-of-their-own')
def images_of_their_own() -> str:
    return built(text='x').output


@dsl.pipeline(name='embedded')
def embedded(text: str = 'y') -> str:
    with_file()
    return with_folder(text=text).output


@dsl.pipeline(name='notebooks')
def notebooks(text: str = 'y'):
    book(text=text)
    book_without_packages(number=2)


PIPELINES = [functions, packages, images_of_their_own, embedded, notebooks]
